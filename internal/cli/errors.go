package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sark/authz"
	"sark/configs"
)

// usageError is a command line that cannot be followed.
type usageError struct{ message string }

// Error says what is wrong and what to write instead.
func (e *usageError) Error() string { return e.message }

func misused(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// exit ends a command with a code when everything was told already.
type exit struct{ code int }

// Error is seen by nobody.
func (e exit) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// report tells an error, once and on standard error, and returns the exit code.
func (p *program) report(err error) int {
	var silent exit
	var issues configs.Issues
	var misuse *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &silent):
		return silent.code
	case errors.As(err, &issues):
		p.say("sark: the configuration is not valid:")
		for _, issue := range issues {
			p.say("  %s", oneLine(issue.String()))
		}
		return exitUsage
	case errors.As(err, &misuse):
		p.say("sark: %s", oneLine(err.Error()))
		return exitUsage
	case errors.Is(err, context.Canceled):
		p.say("sark: interrupted")
		return exitFailure
	}
	if before, mistakes := authz.Mistakes(err); len(mistakes) > 0 {
		p.sayMistakes(before, mistakes)
		return exitFailure
	}
	p.say("sark: %s", oneLine(err.Error()))
	return exitFailure
}

// sayMistakes shows what is wrong with a policy: each place, and the line with a mark where it was noticed.
func (p *program) sayMistakes(before string, mistakes []authz.Mistake) {
	p.say("sark: %s:", oneLine(before))
	for i, m := range mistakes {
		p.say("  %s", m.String())
		if m.Text == "" || i+1 < len(mistakes) && mistakes[i+1].At(m) {
			continue // the line stands once below all that is wrong at one place
		}
		text := strings.TrimLeft(m.Text, " \t")
		p.say("      %s", text)
		if m.Caret >= 0 {
			p.say("      %s^", strings.Repeat(" ", max(m.Caret-(len(m.Text)-len(text)), 0)))
		}
	}
	p.say("  mend that and try again; \"sark policy lint --bundle PATH\" and \"sark policy test --bundle PATH\" tell more about a policy")
}

// say writes a line for people to standard error.
func (p *program) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.stderr, format+"\n", args...) // who cannot read it cannot be told
}

// oneLine joins the lines of a message, such as those of errors.Join.
func oneLine(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			continue
		case b.Len() == 0:
		case strings.HasSuffix(b.String(), ":"), strings.HasSuffix(b.String(), ";"):
			b.WriteString(" ")
		default:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// knownCommand refuses what is no command below c, and names the nearest one.
func knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return misused("unknown command %q%s (%s --help lists the commands)",
		c.CommandPath()+" "+args[0], suggestion(args[0], "", names), c.CommandPath())
}

// noArguments refuses everything but flags.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return misused("%s takes flags only, not %q (see %s --help)", c.CommandPath(), args[0], c.CommandPath())
}

// oneArgument asks for exactly one argument, by its name in the usage line.
func oneArgument(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" {
			return nil
		}
		return misused("%s takes one %s (see %s --help)", c.CommandPath(), name, c.CommandPath())
	}
}

// flagError explains what is wrong with a flag.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		name := unknown.GetSpecifiedName()
		return misused("unknown flag --%s%s (%s --help lists the flags)", name, suggestion(name, "--", flagNames(c)), c.CommandPath())
	case errors.As(err, &invalid):
		return misused("--%s: %q should be %s", invalid.GetFlag().Name, invalid.GetValue(), wanted(invalid.GetFlag().Value))
	}
	return misused("%s (see %s --help)", err, c.CommandPath())
}

// wanted describes the values that a flag takes.
func wanted(v pflag.Value) string {
	switch v := v.(type) {
	case *choice:
		return strings.Join(v.words, ", ")
	case *moment:
		return "a span such as 15m, 2h or 7d, or an RFC 3339 time"
	}
	switch v.Type() {
	case "int":
		return "a whole number"
	case "bool":
		return "true or false"
	case "duration":
		return "a duration such as 500ms or 10s"
	}
	return v.Type()
}

func flagNames(c *cobra.Command) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}
