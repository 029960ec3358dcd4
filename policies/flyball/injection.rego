# title: Injection quarantine
# description: >-
#   What becomes of requests in which somebody who may give no orders does: a tool's result (`roles`, else `["tool",
#   "function"]`) with findings of `kinds` (else `["injection"]`). `action` is `deny` (else), `strip_tools` (the model does
#   not get the tools that could do harm) or `approve` (a person must agree where it would get any). These tools are
#   `write_tools`, patterns of names; without them all that flyball.yaml does not register as ones that only read.
# needs: settings.injection
package flyball.request

import data.settings.injection as quarantine

deny contains {"code": "injection", "msg": sprintf("A message that may give no orders holds some: %s.", [concat(", ", sort(orders_found))])} if {
	quarantine_action == "deny"
	count(orders_found) > 0
}

deny contains {"code": "injection_provider_tool", "msg": sprintf("A message that may give no orders holds some, and the provider would run %s.", [name])} if {
	quarantine_action in ["strip_tools", "approve"]
	count(orders_found) > 0
	some name in input.provider_tools
	quarantine_writes(name)
}

obligations contains {"type": "strip_tool", "name": tool.name} if {
	quarantine_action == "strip_tools"
	count(orders_found) > 0
	some tool in harmful_tools
	quarantine_can_name(tool.name)
}

deny contains {"code": "injection_tool_name", "msg": "A message that may give no orders holds some, and a tool that could do harm has no usable name."} if {
	quarantine_action == "strip_tools"
	count(orders_found) > 0
	some tool in harmful_tools
	not quarantine_can_name(tool.name)
}

obligations contains {"type": "require_approval", "reason": "a message that may give no orders holds some, and tools that write are offered"} if {
	quarantine_action == "approve"
	count(orders_found) > 0
	count(harmful_tools) > 0
}

orders_found contains finding.kind if {
	some finding in input.findings
	finding.role in object.get(quarantine, "roles", ["tool", "function"])
	some kind in object.get(quarantine, "kinds", ["injection"])
	kind in [finding.kind, finding.category]
}

harmful_tools contains tool if {
	some tool in input.tools
	quarantine_by_name
	quarantine_writes(tool.name)
}

harmful_tools contains tool if {
	some tool in input.tools
	not quarantine_by_name
	object.get(tool, "access", null) != "read"
}

quarantine_can_name(name) if {
	count(name) > 0
	count(name) <= 256
}

quarantine_by_name if is_array(object.get(quarantine, "write_tools", null))

quarantine_writes(name) if {
	some pattern in object.get(quarantine, "write_tools", ["*"])
	glob.match(pattern, [], name)
}

quarantine_action := object.get(quarantine, "action", "deny")
