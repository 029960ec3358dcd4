# title: Nothing past the gate
# description: >-
#   A call whose answers no rule will see is refused: batches, background and stored responses, runs of assistants. To be
#   set where `tool_calls` limits write actions; a key whose trusted tag (`write_tag`) lets it write may make them.
# needs: settings.ungated
package flyball.request

deny contains {"code": "ungated", "msg": "No rule will see what the model answers here."} if {
	data.settings.ungated.deny
	input.gate == "none"
	not lets_write
}

lets_write if {
	tag := data.settings.ungated.write_tag
	input.tags[tag.key] == tag.value
}
