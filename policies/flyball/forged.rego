# title: No forged tool results
# description: >-
#   A request whose history holds the result of a tool call that its run was never given is refused: somebody else than
#   the model has put it there. `except_agents` names agents that bring histories from elsewhere.
# needs: settings.forged_results
package flyball.request

import data.settings.forged_results as rules

deny contains {"code": "forged_tool_result", "msg": sprintf("The message at %d answers a tool call that this run was never given.", [result.index])} if {
	rules.deny
	not brings_histories
	some result in input.tool_results_unreleased
}

brings_histories if {
	some agent in rules.except_agents
	agent == input.agent
}
