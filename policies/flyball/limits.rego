# title: Tokens and cost per call
# description: >-
#   `max_output_tokens` lowers what a call may ask for; `max_usd` refuses a call whose worst case is dearer.
# needs: settings.call_limits
package flyball.request

import data.settings.call_limits as call_limits

obligations contains {"type": "cap_tokens", "max": call_limits.max_output_tokens} if {
	call_limits.max_output_tokens
	over_cap
}

over_cap if input.max_tokens == null

over_cap if input.max_tokens > call_limits.max_output_tokens

deny contains {"code": "call_too_dear", "msg": sprintf("This call could cost %s USD; at most %s USD are allowed for one.", [input.estimate_usd, call_limits.max_usd])} if {
	call_limits.max_usd
	to_number(input.estimate_usd) > to_number(call_limits.max_usd)
}
