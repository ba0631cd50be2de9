// Package ocsf renders events of the audit trail in the Open Cybersecurity Schema Framework, version 1.9.0.
//
// It promises that nothing of an event is left out: what has no place in its OCSF class stands in unmapped, under the name of
// its column. It refuses to know where the rendering goes.
package ocsf
