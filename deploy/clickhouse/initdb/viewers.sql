-- What all users share who read the rows of one org, or of one team, only (proxy/cli/grafana/viewers.py; a test compares).
-- The users themselves are made by `flyball grafana viewer`.
CREATE ROLE IF NOT EXISTS flyball_org_viewer;
CREATE SETTINGS PROFILE OR REPLACE flyball_org_viewer SETTINGS
    readonly = 1,
    max_execution_time = 60 MIN 1 MAX 60 CHANGEABLE_IN_READONLY,
    max_memory_usage = 4000000000,
    max_result_bytes = 268435456,
    max_concurrent_queries_for_user = 32
    TO flyball_org_viewer;
CREATE ROW POLICY OR REPLACE flyball_org_viewer ON `flyball`.* FOR SELECT
    USING concat('org:', org) = currentUser() TO flyball_org_viewer;
GRANT SELECT ON `flyball`.* TO flyball_org_viewer;
REVOKE SELECT ON `flyball`.audit FROM flyball_org_viewer;
REVOKE SELECT ON `flyball`.payloads FROM flyball_org_viewer;
REVOKE SELECT ON `flyball`.schema_migrations FROM flyball_org_viewer;
CREATE ROLE IF NOT EXISTS flyball_team_viewer;
CREATE SETTINGS PROFILE OR REPLACE flyball_team_viewer SETTINGS
    readonly = 1,
    max_execution_time = 60 MIN 1 MAX 60 CHANGEABLE_IN_READONLY,
    max_memory_usage = 4000000000,
    max_result_bytes = 268435456,
    max_concurrent_queries_for_user = 32
    TO flyball_team_viewer;
CREATE ROW POLICY OR REPLACE flyball_team_viewer ON `flyball`.* FOR SELECT
    USING concat('team:', org, '/', team) = currentUser() TO flyball_team_viewer;
GRANT SELECT ON `flyball`.* TO flyball_team_viewer;
REVOKE SELECT ON `flyball`.audit FROM flyball_team_viewer;
REVOKE SELECT ON `flyball`.payloads FROM flyball_team_viewer;
REVOKE SELECT ON `flyball`.schema_migrations FROM flyball_team_viewer;
