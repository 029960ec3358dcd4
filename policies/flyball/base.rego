# METADATA
# title: The starter grant
# description: >-
#   A call of a known key may pass each point of its journey. Nothing is granted to a call without one: a package
#   that says no `allow` is a no. Rules that forbid (`deny`) or oblige (`obligations`) stand in files of their own.
package flyball

request.allow if known

route.allow if known

tool_call.allow if known

response.allow if known

known if {
	is_string(input.org)
	input.org != ""
	is_string(input.key)
	input.key != ""
}
