# title: Secrets in prompts
# description: >-
#   What becomes of requests with keys, tokens or passwords in their messages: `action` is `deny` (else) or `redact`,
#   `kinds` are kinds of findings or categories (`["secret"]`), `orgs` has other entries for some orgs. Text that was not
#   looked at counts as a secret; images and files do not, unless `unread` is `refuse`.
# needs: settings.secrets
package flyball.request

import data.settings.secrets as secret_settings

deny contains {"code": "secret_in_prompt", "msg": sprintf("Secrets must not be sent to a model: %s. Take them out, and change those that were sent before.", [concat(", ", sort(secrets_found))])} if {
	secrets_action == "deny"
	count(secrets_found) > 0
}

deny contains {"code": "secrets_not_looked_at", "msg": "Parts of this request cannot be looked through for secrets: too much text, or images and files."} if {
	secrets_action == "deny"
	secrets_have_gaps
}

obligations contains {"type": "redact", "kinds": secret_kinds, "unread": secrets_unread} if {
	secrets_action == "redact"
	secrets_need_care
}

secrets_need_care if count(secrets_found) > 0

secrets_need_care if secrets_have_gaps

secrets_found contains finding.kind if {
	some finding in input.findings
	some kind in secret_kinds
	kind in [finding.kind, finding.category]
}

secrets_have_gaps if input.findings_scan.whole == false

secrets_have_gaps if {
	secrets_unread == "refuse"
	input.findings_scan.unread_parts > 0
}

secrets_own := object.get(object.get(secret_settings, "orgs", {}), input.org, {})

secret_kinds := object.get(secrets_own, "kinds", object.get(secret_settings, "kinds", ["secret"]))

secrets_action := object.get(secrets_own, "action", object.get(secret_settings, "action", "deny"))

secrets_unread := object.get(secrets_own, "unread", object.get(secret_settings, "unread", "pass"))
