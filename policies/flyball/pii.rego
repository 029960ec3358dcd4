# title: Personal data in prompts
# description: >-
#   What becomes of requests with personal data in their messages, whatever serves them: `action` is `deny` (else) or
#   `redact`; `kinds` are kinds of findings or categories (`["pii"]`). `orgs` has other entries for some orgs. Where part
#   of the text was not looked at, or of the request (images, files; unless `unread` is `pass`), it counts as personal data.
# needs: settings.pii
package flyball.request

import data.settings.pii as pii_settings

deny contains {"code": "pii_in_prompt", "msg": sprintf("Personal data must not be sent to a model: %s.", [concat(", ", sort(pii_found))])} if {
	pii_action == "deny"
	count(pii_found) > 0
}

deny contains {"code": "pii_not_looked_at", "msg": "Parts of this request cannot be looked through for personal data: images, files, or too much text."} if {
	pii_action == "deny"
	pii_has_gaps
}

obligations contains {"type": "redact", "kinds": pii_kinds, "unread": pii_unread} if {
	pii_action == "redact"
	pii_needs_care
}

pii_needs_care if count(pii_found) > 0

pii_needs_care if pii_has_gaps

pii_found contains finding.kind if {
	some finding in input.findings
	some kind in pii_kinds
	kind in [finding.kind, finding.category]
}

pii_has_gaps if input.findings_scan.whole == false

pii_has_gaps if {
	pii_unread == "refuse"
	input.findings_scan.unread_parts > 0
}

pii_own := object.get(object.get(pii_settings, "orgs", {}), input.org, {})

pii_kinds := object.get(pii_own, "kinds", object.get(pii_settings, "kinds", ["pii"]))

pii_action := object.get(pii_own, "action", object.get(pii_settings, "action", "deny"))

pii_unread := object.get(pii_own, "unread", object.get(pii_settings, "unread", "refuse"))
