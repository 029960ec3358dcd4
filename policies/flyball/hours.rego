# title: Business hours
# description: >-
#   Calls are only served on these ISO weekdays (1 is Monday) and between these hours of UTC, by org (`*` for all others).
# needs: settings.hours
package flyball.request

import data.settings.hours as hours

deny contains {"code": "outside_hours", "msg": sprintf("Calls are served from %d to %d o'clock UTC on weekdays %v.", [served.from, served.to, served.weekdays])} if {
	served
	not within_hours
}

served := hours.orgs[input.org] if hours.orgs[input.org]

else := hours.orgs["*"] if hours.orgs["*"]

within_hours if {
	input.clock.weekday in served.weekdays
	input.clock.hour >= served.from
	input.clock.hour < served.to
}
