# title: Personal data and providers
# description: >-
#   Which providers may see personal data: `trusted` lists them, for all or in `orgs`. Of a request that has some (or of
#   which part was not looked at) all other candidates are left out; with `action: redact` they stay, and the request is
#   redacted where one of them could serve it.
# needs: settings.pii_providers
package flyball.route

import data.settings.pii_providers as pii_route

deny_candidates contains {"id": candidate.id, "code": "pii_external", "msg": sprintf("Personal data must not be sent to %s.", [candidate.provider])} if {
	pii_route_action == "drop"
	pii_to_keep_in
	some candidate in pii_strangers
}

obligations contains {"type": "redact", "kinds": pii_route_kinds, "unread": pii_route_unread} if {
	pii_route_action == "redact"
	pii_to_keep_in
	count(pii_strangers) > 0
}

pii_strangers contains candidate if {
	some candidate in input.candidates
	not candidate.provider in pii_trusted
}

pii_to_keep_in if {
	some finding in input.findings
	some kind in pii_route_kinds
	kind in [finding.kind, finding.category]
}

pii_to_keep_in if input.findings_scan.whole == false

pii_to_keep_in if {
	pii_route_unread == "refuse"
	input.findings_scan.unread_parts > 0
}

pii_route_own := object.get(object.get(pii_route, "orgs", {}), input.org, {})

pii_trusted := object.get(pii_route_own, "trusted", object.get(pii_route, "trusted", []))

pii_route_kinds := object.get(pii_route_own, "kinds", object.get(pii_route, "kinds", ["pii"]))

pii_route_action := object.get(pii_route_own, "action", object.get(pii_route, "action", "drop"))

pii_route_unread := object.get(pii_route_own, "unread", object.get(pii_route, "unread", "refuse"))
