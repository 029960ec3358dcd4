package flyball.secrets_test

settings := {"secrets": {"orgs": {
	"loose": {"action": "redact"},
	"strict": {"unread": "refuse"},
}}}

found(kind, category) := [{"kind": kind, "category": category, "role": "tool", "index": 1, "count": 1}]

whole := {"whole": true, "unread_parts": 0}

decided(org, findings, scan) := {"denied": denied, "obliged": obliged} if {
	facts := {"org": org, "findings": findings, "findings_scan": scan}
	denied := {d.code | some d in data.flyball.request.deny} with input as facts with data.settings as settings
	obliged := data.flyball.request.obligations with input as facts with data.settings as settings
}

test_secrets_are_refused if decided("acme", found("github_token", "secret"), whole).denied == {"secret_in_prompt"}

test_what_is_none_passes if {
	decided("acme", found("email", "pii"), whole) == {"denied": set(), "obliged": set()}
	decided("acme", [], {"whole": true, "unread_parts": 3}) == {"denied": set(), "obliged": set()}
}

test_an_org_may_have_them_redacted if decided("loose", found("jwt", "secret"), whole) == {
	"denied": set(),
	"obliged": {{"type": "redact", "kinds": ["secret"], "unread": "pass"}},
}

test_what_was_not_looked_at_is_refused if {
	decided("acme", [], {"whole": false, "unread_parts": 0}).denied == {"secrets_not_looked_at"}
	decided("strict", [], {"whole": true, "unread_parts": 1}).denied == {"secrets_not_looked_at"}
}
