// Package policy is the default policy: what applies when the configuration names no bundle.
//
// It is Rego (package sark, one entry point data.sark.decision) and made to be copied and extended; docs/policy.md says
// how. This Go package only embeds the files.
package policy
