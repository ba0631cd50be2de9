package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"sark/configs"
)

// sharedFlags are those that every command has: they say which configuration is meant.
type sharedFlags struct {
	file, preset, dataDir, logLevel string
}

func (s *sharedFlags) register(f *pflag.FlagSet) {
	f.StringVar(&s.file, "config", "", "configuration `FILE`, YAML or JSON (SARK_CONFIG)")
	f.StringVar(&s.preset, "preset", "", "`NAME` of a preset under the file: "+strings.Join(configs.Presets(), ", ")+" (SARK_PRESET)")
	f.StringVar(&s.dataDir, "data-dir", "", "`DIR` of database, spool, keys and local socket (SARK_DATA_DIR; default /var/lib/sark)")
	f.StringVar(&s.logLevel, "log-level", "", "`LEVEL` of the log: debug, info, warn or error (SARK_LOG_LEVEL; default info)")
}

// load reads and validates the configuration. Its error is configs.Issues when the configuration is wrong.
func (p *program) load() (*configs.Loaded, error) {
	flags := map[string]any{}
	for path, value := range map[string]string{"data_dir": p.shared.dataDir, "log.level": p.shared.logLevel} {
		if value != "" {
			flags[path] = value
		}
	}
	loaded, err := configs.Load(configs.Options{
		File: p.shared.file, Preset: p.shared.preset, Flags: flags, Environ: p.environ, Files: &p.files,
	})
	if err != nil {
		return nil, fmt.Errorf("load the configuration: %w", err)
	}
	return loaded, nil
}

// stopped tells whether a command ended because it was told to.
func stopped(ctx context.Context) bool { return ctx.Err() != nil }
