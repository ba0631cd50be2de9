package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"sark/configs/policy"
)

func (p *program) policyInitCommand() *cobra.Command {
	c := command("init DIR", "Writes the default policy into a directory, to be changed.",
		`It opens nothing and writes the Rego files that are built into this binary, and their tests, into DIR, which
must be new or empty. Add files of your own or change these, try them with "sark policy test --bundle DIR",
and name DIR as authz.bundle: a gateway that runs with it takes every change within two seconds.`,
		"docs/policy.md#adding-rules", "sark policy init ./policy", "sark policy init /etc/sark/policy")
	c.Args = oneArgument("DIR")
	c.RunE = func(_ *cobra.Command, args []string) error { return p.policyInit(args[0]) }
	return c
}

func (p *program) policyInit(dir string) error {
	there, err := os.ReadDir(dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("look into the directory: %w", err)
	case len(there) > 0:
		return fmt.Errorf("%s is not empty, and nothing of yours shall be overwritten: name a new directory", dir)
	}
	for _, files := range []fs.FS{policy.FS, policy.Tests} {
		if err := os.CopyFS(dir, files); err != nil {
			return fmt.Errorf("write the policy: %w", err)
		}
	}
	_, err = fmt.Fprintf(p.stdout, "the default policy is in %s; try it with: sark policy test --bundle %s\n", dir, dir)
	return err
}
