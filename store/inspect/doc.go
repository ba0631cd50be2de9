// Package inspect looks into the operator's database: who is connected, which statements are slow, which transactions stay
// open, and how a built-in query is executed.
//
// It promises to change nothing: what it runs is a question to the server's own statistics, or a query in a read-only
// transaction that is rolled back.
package inspect
