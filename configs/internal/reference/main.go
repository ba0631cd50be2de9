// Command reference writes docs/configuration.md from the fields of
// configs.Config: their tags by way of configs.Keys, their comments from the
// source. "go generate ./configs" runs it.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	dir := flag.String("dir", ".", "folder of the package configs")
	out := flag.String("out", "", "file to write; empty is standard output")
	flag.Parse()
	if err := run(*dir, *out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run writes the reference of the package in dir.
func run(dir, out string) error {
	text, err := Reference(dir)
	if err != nil {
		return err
	}
	if out == "" {
		_, err = os.Stdout.WriteString(text)
		return err
	}
	return os.WriteFile(out, []byte(text), 0o644) //nolint:gosec // A document for everyone.
}
