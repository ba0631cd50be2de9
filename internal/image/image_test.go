package main

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// options pack files that stand for binaries.
func options(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	o := Options{Out: filepath.Join(dir, "image"), Certificates: filepath.Join(dir, "ca.crt"), Version: "1.2.3", Revision: "abc"}
	write(t, o.Certificates, "authorities")
	for _, arch := range []string{"amd64", "arm64"} {
		file := filepath.Join(dir, arch)
		write(t, file, "sark for "+arch)
		o.Binaries = append(o.Binaries, Binary{arch, file})
	}
	return o
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWrite reads back what was written, as an engine would.
func TestWrite(t *testing.T) {
	o := options(t)
	digest, err := Write(o)
	if err != nil {
		t.Fatal(err)
	}
	all, err := layout.ImageIndexFromPath(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	tagged, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(tagged.Manifests) != 1 || tagged.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "1.2.3" {
		t.Errorf("the layout holds %+v, want one index for all architectures, tagged 1.2.3", tagged.Manifests)
	}
	index, err := all.ImageIndex(digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Errorf("not a valid index: %v", err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range manifest.Manifests {
		image, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		c, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Platform.String()+" is "+c.OS+"/"+c.Architecture+", runs "+strings.Join(append(c.Config.Entrypoint, c.Config.Cmd...), " ")+
			" as "+c.Config.User+", version "+c.Config.Labels["org.opencontainers.image.version"]+": "+tree(t, image))
	}
	const rest = ", runs sark serve as 65532:65532, version 1.2.3: etc/passwd etc/group etc/ssl/certs/ca-certificates.crt=authorities usr/local/bin/sark*="
	want := []string{
		"linux/amd64 is linux/amd64" + rest + "sark for amd64 tmp/ var/lib/sark/", "linux/arm64 is linux/arm64" + rest + "sark for arm64 tmp/ var/lib/sark/",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("images (-want +got):\n%s", d)
	}
}

// tree lists the files of an image: what can be run with a star, and the content of those that were given.
func tree(t *testing.T, image v1.Image) string {
	t.Helper()
	files := mutate.Extract(image)
	defer files.Close() //nolint:errcheck // Only read from.
	var names []string
	for r := tar.NewReader(files); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(names, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := h.Name
		if h.Typeflag == tar.TypeDir {
			name += "/"
		}
		if h.Typeflag == tar.TypeReg && h.Mode&0o111 != 0 {
			name += "*"
		}
		if !strings.Contains(string(content), "65532") && h.Typeflag == tar.TypeReg {
			name += "=" + string(content)
		}
		names = append(names, name)
	}
}

// TestSameBytes packs twice: the same input has the same digest, another version has another.
func TestSameBytes(t *testing.T) {
	var digests []v1.Hash
	for _, version := range []string{"1", "1", "2"} {
		o := options(t)
		o.Version = version
		digest, err := Write(o)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
	}
	if digests[0] != digests[1] || digests[1] == digests[2] {
		t.Errorf("digests %v", digests)
	}
}

func TestRefused(t *testing.T) {
	o := options(t)
	o.Binaries[1].File = "nowhere"
	if _, err := Write(o); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "arm64: ") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(o.Out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half an image is there: %v", err)
	}
	if _, err := Write(Options{Out: o.Out}); err == nil {
		t.Error("an image without binaries is written")
	}
}
