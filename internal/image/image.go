package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is who sark runs as: the number that charts/sark names, too.
const user = "65532:65532"

// Binary is sark for one architecture.
type Binary struct {
	// Arch is as GOARCH has it.
	Arch string
	// File is the path of the binary, built for linux without cgo.
	File string
}

// Options say what to pack.
type Options struct {
	// Out is the directory of the layout. Required.
	Out string
	// Certificates is a PEM file. Required.
	Certificates string
	// Version and Revision become labels.
	Version, Revision string
	// Binaries are at least one.
	Binaries []Binary
}

// Write writes the layout and returns the digest of the index, which names the images of all architectures.
func Write(o Options) (v1.Hash, error) {
	if o.Out == "" || len(o.Binaries) == 0 {
		return v1.Hash{}, errors.New("-out and at least one ARCH=BINARY are required")
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range o.Binaries {
		image, err := pack(o, b)
		if err != nil {
			return v1.Hash{}, fmt.Errorf("%s: %w", b.Arch, err)
		}
		platform := &v1.Platform{OS: "linux", Architecture: b.Arch}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	if err := os.RemoveAll(o.Out); err != nil {
		return v1.Hash{}, fmt.Errorf("make room: %w", err)
	}
	path, err := layout.Write(o.Out, empty.Index)
	if err == nil {
		err = path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": o.Version}))
	}
	if err != nil {
		return v1.Hash{}, fmt.Errorf("write: %w", err)
	}
	return index.Digest()
}

// pack makes the image of one architecture.
func pack(o Options, b Binary) (v1.Image, error) {
	archive, err := files(o.Certificates, b.File)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("layer: %w", err)
	}
	image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layer)
	if err != nil {
		return nil, fmt.Errorf("layer: %w", err)
	}
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", b.Arch
	config.Config = v1.Config{
		User: user, Entrypoint: []string{"sark"}, Cmd: []string{"serve"}, WorkingDir: "/",
		Env: []string{"PATH=/usr/local/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
		Labels: map[string]string{
			"org.opencontainers.image.title": "sark", "org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.version": o.Version, "org.opencontainers.image.revision": o.Revision,
		},
	}
	return mutate.ConfigFile(image, config)
}

// files is the file system of an image, as a tar archive without times.
func files(certificates, binary string) ([]byte, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, f := range []struct {
		name, from, text string
		mode             int64
	}{
		{"etc/passwd", "", "sark:x:65532:65532:sark:/var/lib/sark:/sbin/nologin\n", 0o644},
		{"etc/group", "", "sark:x:65532:\n", 0o644},
		{"etc/ssl/certs/ca-certificates.crt", certificates, "", 0o644},
		{"usr/local/bin/sark", binary, "", 0o755},
	} {
		content := []byte(f.text)
		if f.from != "" {
			var err error
			if content, err = os.ReadFile(f.from); err != nil {
				return nil, err
			}
		}
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(content))}); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if _, err := w.Write(content); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	for _, d := range []struct {
		name string
		mode int64
		own  int
	}{{"tmp/", 0o1777, 0}, {"var/lib/sark/", 0o700, 65532}} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d.name, Mode: d.mode, Uid: d.own, Gid: d.own}); err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("tar: %w", err)
	}
	return buffer.Bytes(), nil
}
