# title: Tool lists
# description: >-
#   Which tools an agent's calls may carry, by agent (`*` for all others). Tools that a provider runs are named by their
#   type; those that are not listed are refused once any list is set.
# needs: settings.tools
package flyball.request

import data.settings.tools as tool_lists

deny contains {"code": "tool_list", "msg": sprintf("The tool %s is not on the list of the agent %s.", [name, input.agent])} if {
	some name in named_tools
	not tool_listed(name)
}

named_tools contains tool.name if some tool in input.tools

named_tools contains name if some name in input.provider_tools

tool_listed(name) if {
	some pattern in agents_tools
	glob.match(pattern, [], name)
}

default agents_tools := []

agents_tools := tool_lists.agents[input.agent] if tool_lists.agents[input.agent]

else := tool_lists.agents["*"] if tool_lists.agents["*"]
