# title: Agent profiles
# description: >-
#   What one agent may do: `models` it may ask for, `max_usd_per_call`, and `tags` that its calls must carry.
# needs: settings.agents
package flyball.request

profile := data.settings.agents[input.agent]

deny contains {"code": "agent_model", "msg": sprintf("The agent %s may not use %s.", [input.agent, input.model])} if {
	profile.models
	not profile_has_model
}

profile_has_model if {
	some pattern in profile.models
	glob.match(pattern, [], input.model)
}

deny contains {"code": "agent_call_too_dear", "msg": sprintf("A call of %s may cost %s USD at most.", [input.agent, profile.max_usd_per_call])} if {
	profile.max_usd_per_call
	to_number(input.estimate_usd) > to_number(profile.max_usd_per_call)
}

deny contains {"code": "agent_tag", "msg": sprintf("Calls of %s must carry the tag %s.", [input.agent, tag])} if {
	some tag in profile.tags
	object.get(input.claims.tags, tag, "") == ""
}
