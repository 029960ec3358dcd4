package flyball.residency_test

settings := {
	"residency": {
		"orgs": {
			"acme": {
				"regions": [
					"eu"
				],
				"max_retention_days": 0
			}
		},
		"providers": {
			"here": {
				"region": "eu",
				"retention_days": 0
			},
			"kept": {
				"region": "eu",
				"retention_days": 30
			},
			"there": {
				"region": "us",
				"retention_days": 0
			}
		}
	}
}

candidates := [{"id": p, "provider": p, "model": "m"} | some p in ["here", "kept", "there", "unknown"]]

left_out(org) := {[d.id, d.code] | some d in data.flyball.route.deny_candidates with input as {"org": org, "candidates": candidates} with data.settings as settings}

test_only_what_is_known_to_fit_is_left if {
	left_out("acme") == {["kept", "retention"], ["there", "residency"], ["unknown", "residency"], ["unknown", "retention"]}
}

test_others_go_anywhere if left_out("other") == set()
