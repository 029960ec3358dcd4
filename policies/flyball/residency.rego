# title: Residency and retention
# description: >-
#   Which providers an org's calls may go to, by the region and the retention that `providers` states of each. A
#   candidate of which nothing is stated is left out where anything is asked.
# needs: settings.residency
package flyball.route

import data.settings.residency as residency

wanted := residency.orgs[input.org] if residency.orgs[input.org]

else := residency.orgs["*"] if residency.orgs["*"]

deny_candidates contains {"id": candidate.id, "code": "residency", "msg": sprintf("%s may only be sent to %v.", [input.org, wanted.regions])} if {
	some candidate in input.candidates
	wanted.regions
	not object.get(residency, ["providers", candidate.provider, "region"], "unknown") in wanted.regions
}

deny_candidates contains {"id": candidate.id, "code": "retention", "msg": sprintf("%s may only be sent where nothing is kept for more than %d days.", [input.org, wanted.max_retention_days])} if {
	some candidate in input.candidates
	is_number(wanted.max_retention_days)
	object.get(residency, ["providers", candidate.provider, "retention_days"], 36500) > wanted.max_retention_days
}
