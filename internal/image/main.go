// Command image packs sark into a container image for each architecture and writes them as an OCI image layout, which
// needs neither an engine nor a registry: `skopeo copy --all oci:bin/image:VERSION docker://...` or `crane push bin/image ...`
// brings it to one. An image holds the static binary, the certificates of public authorities, and a user without rights. The same
// input makes the same bytes.
//
// It is a module of its own, so that what it needs stays out of the product's graph; `make image` runs it.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	o := Options{}
	flag.StringVar(&o.Out, "out", "", "the `DIR` to write; what is there is replaced")
	flag.StringVar(&o.Certificates, "certificates", "/etc/ssl/certs/ca-certificates.crt", "PEM `FILE` of the authorities that the gateway trusts")
	flag.StringVar(&o.Version, "version", "dev", "`VERSION` for the label")
	flag.StringVar(&o.Revision, "revision", "", "`COMMIT` for the label")
	flag.Usage = func() { fmt.Fprintln(os.Stderr, "usage: image [flags] ARCH=BINARY ..."); flag.PrintDefaults() }
	flag.Parse()
	for _, arg := range flag.Args() {
		arch, file, _ := strings.Cut(arg, "=")
		o.Binaries = append(o.Binaries, Binary{arch, file})
	}
	digest, err := Write(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
	fmt.Printf("%s holds %s\n", o.Out, digest)
}
