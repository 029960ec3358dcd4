# title: No unpriced models
# description: >-
#   A call whose cost nobody can tell beforehand is refused, also where no budget asks for its price.
# needs: settings.unpriced
package flyball.request

deny contains {"code": "unpriced", "msg": sprintf("The model %s has no price.", [input.model])} if {
	data.settings.unpriced.deny
	not input.priced
}
