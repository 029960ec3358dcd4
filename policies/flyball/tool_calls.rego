# title: Tool calls
# description: >-
#   Which of the calls that a model emits reach the client. Calls of tools that were not offered, or with arguments that
#   their schema does not take, are refused once there is an entry; `agents` lists tools by agent (`*` for all others);
#   `write_actions` are refused unless a trusted tag of the key allows them, or wait for a person. `registered_only`
#   refuses tools that flyball.yaml does not register; with `write_by_registry` all count as write actions that it does
#   not register as ones that only read.
# needs: settings.tool_calls
package flyball.tool_call

import data.settings.tool_calls as rules

deny contains {"code": "unknown_tool", "msg": sprintf("No tool %s was offered.", [input.tool.name])} if {
	not input.tool.known
	not rules.allow_unknown
}

deny contains {"code": "invalid_arguments", "msg": sprintf("Its arguments are none that the tool %s takes.", [input.tool.name])} if {
	input.tool.known
	not input.tool.valid
	not rules.allow_invalid
}

deny contains {"code": "tool_not_listed", "msg": sprintf("The tool %s is not on the list of the agent %s.", [input.tool.name, input.agent])} if {
	rules.agents
	not listed
}

deny contains {"code": "unregistered_tool", "msg": sprintf("The tool %s is not registered.", [input.tool.name])} if {
	rules.registered_only
	input.tool.registered == null
}

deny contains {"code": "write_action", "msg": sprintf("The tool %s writes, which this key may not.", [input.tool.name])} if {
	is_write
	not may_write
	not rules.write_needs == "approval"
}

obligations contains {"type": "require_approval", "reason": sprintf("the tool %s writes", [input.tool.name])} if {
	is_write
	not may_write
	rules.write_needs == "approval"
}

is_write if {
	some pattern in rules.write_actions
	glob.match(pattern, [], input.tool.name)
}

is_write if {
	rules.write_by_registry
	not only_reads
}

only_reads if input.tool.registered.access == "read"

may_write if {
	tag := rules.write_tag
	input.tags[tag.key] == tag.value
}

listed if {
	some pattern in agents_calls
	glob.match(pattern, [], input.tool.name)
}

default agents_calls := []

agents_calls := rules.agents[input.agent] if rules.agents[input.agent]

else := rules.agents["*"] if rules.agents["*"]
