package policy

import "embed"

// FS holds the Rego files of the default policy, without their tests.
//
//go:embed main.rego rbac.rego protocol.rego sensitivity.rego team_access.rego time_based.rego ip_filtering.rego
//go:embed mfa_required.rego arguments.rego api.rego
var FS embed.FS

// Tests holds the tests of the default policy: Rego, and cases in YAML.
//
//go:embed *_test.rego *_test.yaml
var Tests embed.FS
