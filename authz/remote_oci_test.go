package authz_test

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/registry/remote"

	"sark/authz"
)

// newRegistry runs an OCI registry and returns its address without a scheme.
func newRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// push puts a bundle into a repository, as "opa build" and "oras push" do, and moves the tag latest to it.
func push(t *testing.T, repository, layerType string, packed []byte) {
	t.Helper()
	repo, err := remote.NewRepository(repository)
	if err != nil {
		t.Fatal(err)
	}
	repo.PlainHTTP = true
	layer, err := oras.PushBytes(t.Context(), repo, layerType, packed)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := oras.PackManifest(t.Context(), repo, oras.PackManifestVersion1_1, "application/vnd.openpolicyagent.bundles",
		oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}})
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.Tag(t.Context(), manifest, "latest"); err != nil {
		t.Fatal(err)
	}
}

// TestOCIBundle: a policy may be an artefact of a registry. Its tag is followed; what is not there, no bundle or not signed
// rightly changes nothing.
func TestOCIBundle(t *testing.T) {
	address, key := newRegistry(t), newSigningKey(t)
	repository := address + "/policies/sark"
	e := open(t, authz.Options{OPA: map[string]any{
		"services": map[string]any{"registry": map[string]any{"url": "http://" + address, "type": "oci"}},
		"keys":     map[string]any{"ops": map[string]any{"algorithm": "ES256", "key": key.public}},
		"bundles": map[string]any{"sark": map[string]any{
			"service": "registry", "resource": repository + ":latest", "trigger": "manual", "signing": map[string]any{"keyid": "ops"},
		}},
	}})
	for _, step := range []struct {
		name, revision string
		ok             bool
		layerType      string
		packed         []byte
	}{
		{"nothing there", "", false, "", nil},
		{"unsigned", "", false, ocispec.MediaTypeImageLayerGzip, packBundle(t, 1)},
		{"first", "1", true, ocispec.MediaTypeImageLayerGzip, key.sign(t, 1, nil)},
		{"the same again", "1", true, "", nil},
		{"another kind of artefact", "1", false, "text/plain", []byte("no bundle")},
		{"no archive", "1", false, ocispec.MediaTypeImageLayerGzip, []byte("no archive")},
		{"a stranger's", "1", false, ocispec.MediaTypeImageLayerGzip, newSigningKey(t).sign(t, 2, nil)},
		{"next", "2", true, ocispec.MediaTypeImageLayerGzip, key.sign(t, 2, nil)},
	} {
		if step.packed != nil {
			push(t, repository, step.layerType, step.packed)
		}
		err := e.Reload(t.Context())
		if (err == nil) != step.ok || (e.LastError() == nil) != step.ok || e.Revision() != step.revision {
			t.Errorf("%s: error %v, last error %v, revision %q", step.name, err, e.LastError(), e.Revision())
		}
		if d := e.Decide(t.Context(), callTool(analyst(), `{}`)); d.Allow != (step.revision != "") || d.Revision != step.revision {
			t.Errorf("%s: decision %+v", step.name, d)
		}
	}
}
