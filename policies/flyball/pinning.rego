# title: Model pinning
# description: >-
#   Models must be asked for by a dated name, so that an answer can be had again; `except` lists patterns that need not.
# needs: settings.pinning
package flyball.request

import data.settings.pinning as pinning

deny contains {"code": "model_not_pinned", "msg": sprintf("Ask for a dated version of %s.", [input.model])} if {
	pinning.required
	not regex.match(`[0-9]{4}-?[0-9]{2}-?[0-9]{2}`, input.model)
	not excepted
}

excepted if {
	some pattern in object.get(pinning, "except", [])
	glob.match(pattern, [], input.model)
}
