package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"sark/store"
)

func FuzzDecodeCursor(f *testing.F) {
	c := store.Cursor{Time: time.UnixMicro(1795430000123456).UTC(), ID: uuid.MustParse("6f2d5a52-3c0e-4f4e-9d59-0b6f3a8f1c11")}
	f.Add(c.Encode("events"))
	f.Add(c.Encode("servers asc"))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := store.DecodeCursor("events", text)
		if err != nil {
			if !errors.Is(err, store.ErrBadCursor) {
				t.Errorf("error %v", err)
			}
			return
		}
		if again := c.Encode("events"); again != text {
			t.Errorf("cursor %q means %+v, which is written %q", text, c, again)
		}
	})
}
