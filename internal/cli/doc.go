// Package cli is the command line of sark: it turns arguments into calls of the other packages and their answers into text.
//
// It promises that what a command was asked for goes to standard output and everything else to standard error, that an
// error is told once, and that the exit code says which kind it was. It decides nothing and keeps nothing by itself.
package cli

//go:generate go test -run ^TestReference$ . -update
