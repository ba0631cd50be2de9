//go:build !linux

package proxy_test

import "testing"

// divertedRequests are those of redirect mode, which only Linux has.
func divertedRequests() map[string]failure {
	skip := failure{by: func(t *testing.T) outcome {
		t.Skip("redirect mode is one of Linux")
		return outcome{}
	}}
	return map[string]failure{"destination-unknown": skip, "destination-loop": skip}
}
