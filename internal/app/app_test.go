package app_test

import (
	"path/filepath"
	"testing"

	"sark/configs"
	"sark/internal/app"
)

func TestConfigIsRequired(t *testing.T) {
	if err := app.Run(t.Context(), app.Options{}); err == nil {
		t.Error("a gateway without a configuration was served")
	}
}

// TestExamplesAreValid: whoever copies an example gets a gateway.
func TestExamplesAreValid(t *testing.T) {
	files, err := filepath.Glob("../../configs/examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("examples %v, %v", files, err)
	}
	for _, file := range files {
		if issues := configs.Validate(load(t, file).Config); len(issues) > 0 {
			t.Errorf("%s: %v", file, issues)
		}
	}
}
