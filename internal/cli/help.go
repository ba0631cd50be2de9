package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// moreKey is the annotation that says where to read more.
const moreKey = "more"

// helpCommand is "sark help", another way to write --help.
func helpCommand() *cobra.Command {
	c := command("help [COMMAND]", "Shows what a command does.", "", "docs/cli.md", "sark help audit tail", "sark help serve")
	c.Hidden = true
	c.RunE = func(c *cobra.Command, args []string) error {
		about, rest, err := c.Root().Find(args)
		if err != nil || len(rest) > 0 {
			return knownCommand(about, rest)
		}
		return about.Help()
	}
	return c
}

// writeHelp writes the help of a command.
func writeHelp(w io.Writer, c *cobra.Command) error {
	c.InitDefaultHelpFlag()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s\n", strings.TrimSpace(c.Long), usage(c))
	section(&b, "Examples", c.Example)
	section(&b, "Commands", commandList(c))
	if c.HasParent() {
		section(&b, "Flags", c.LocalFlags().FlagUsages())
		section(&b, "Flags of every command", c.InheritedFlags().FlagUsages())
	} else {
		section(&b, "Flags of every command", c.LocalFlags().FlagUsages())
	}
	if more := c.Annotations[moreKey]; more != "" {
		fmt.Fprintf(&b, "\nMore: %s\n", more)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// usage is the line that shows how a command is written.
func usage(c *cobra.Command) string {
	if c.HasAvailableSubCommands() {
		return c.CommandPath() + " COMMAND [flags]"
	}
	return c.UseLine() + " [flags]"
}

func section(b *strings.Builder, title, body string) {
	if body = strings.TrimRight(body, "\n"); body != "" {
		fmt.Fprintf(b, "\n%s:\n%s\n", title, body)
	}
}

// commandList is the table of the commands below c.
func commandList(c *cobra.Command) string {
	var b strings.Builder
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(&b, "  %-*s  %s\n", sub.NamePadding(), sub.Name(), sub.Short)
		}
	}
	return b.String()
}

// indent returns lines as the help shows them.
func indent(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "  " + strings.Join(lines, "\n  ")
}
