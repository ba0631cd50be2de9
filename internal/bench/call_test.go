package bench

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// White-box, because the call that is measured is nobody's interface; yet the figures mean nothing when it changes.
func TestRequestIsAValidCallWithATokenOfTheUsualSize(t *testing.T) {
	p, err := newProvider()
	if err != nil {
		t.Fatal(err)
	}
	token, err := p.token()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(token); n < tokenSize-4 || n > tokenSize+4 {
		t.Errorf("the token has %d bytes, want about %d", n, tokenSize)
	}
	key, err := p.publicKey()
	if err != nil {
		t.Fatal(err)
	}
	_, err = jwt.Parse(token, func(*jwt.Token) (any, error) { return jwt.ParseECPublicKeyFromPEM(key) },
		jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	if err != nil {
		t.Errorf("verify the token: %v", err)
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request(token))))
	if err != nil {
		t.Fatal(err)
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil || string(sent) != body || r.Header.Get("Authorization") != "Bearer "+token {
		t.Errorf("the request has body %q, %v, and authorization %q", sent, err, r.Header.Get("Authorization"))
	}
}

func TestReplyIsOneKibibyte(t *testing.T) {
	if n := len(reply()); n != replySize {
		t.Errorf("the reply has %d bytes, want %d", n, replySize)
	}
}

func TestResourceReplyIsOneKibibyte(t *testing.T) {
	if n := len(resourceReply()); n != replySize {
		t.Errorf("the reply has %d bytes, want %d", n, replySize)
	}
}

func TestNumbersStandInHeaderAndBody(t *testing.T) {
	w := newWorker(load{request: resourceRequest("t", placeholder), numbers: func(int) func() uint64 { return func() uint64 { return 4711 } }}, 0)
	w.number()
	if want := resourceRequest("t", "00004711"); !bytes.Equal(w.request, want) {
		t.Errorf("the request is\n%s\nwant\n%s", w.request, want)
	}
}
