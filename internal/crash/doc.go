// Package crash has no code, only the test that kills the whole gateway and the shipper again and again under load, stops
// their database and fills their disk, and then looks for every call that reached the MCP server: each must have left exactly
// one outcome in the trail.
//
// SARK_CRASH_SEED repeats the choices of a run, SARK_CRASH_DURATION (for example 10m) makes it a long one.
package crash
