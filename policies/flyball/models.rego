# title: Model lists
# description: >-
#   Which models an org, a team or a key may ask for, and which nobody may. Patterns are globs; the narrowest list that
#   is set for the caller counts alone.
# needs: settings.models
package flyball.request

import data.settings.models as lists

deny contains {"code": "model_list", "msg": sprintf("The model %s is not on the list for %s.", [input.model, allowed_models.owner])} if {
	not on_list(allowed_models.patterns)
}

deny contains {"code": "model_blocked", "msg": sprintf("The model %s is blocked.", [input.model])} if {
	on_list(object.get(lists, "blocked", []))
}

default allowed_models := {"owner": "anyone", "patterns": ["*"]}

allowed_models := {"owner": key_path, "patterns": lists.keys[key_path]} if lists.keys[key_path]

else := {"owner": team_path, "patterns": lists.teams[team_path]} if lists.teams[team_path]

else := {"owner": input.org, "patterns": lists.orgs[input.org]} if lists.orgs[input.org]

key_path := sprintf("%s/%s/%s", [input.org, input.team, input.key])

team_path := sprintf("%s/%s", [input.org, input.team])

on_list(patterns) if {
	some pattern in patterns
	glob.match(pattern, [], input.model)
}
