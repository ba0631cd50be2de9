package cachemw

import (
	"net/http"
	"strings"
	"time"
)

// parseDate reads an HTTP-date in one of its three forms (RFC 9110 section 5.6.7). http.ParseTime takes more for one: several
// spaces, hours of one digit, other zones than GMT. Such an Expires has passed (RFC 9111 section 5.3). The day of the week may be
// a wrong one: servers err there, and the rest says which day it is.
func parseDate(text string) (time.Time, bool) {
	for _, form := range [...]string{http.TimeFormat, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		t, err := time.Parse(form, text)
		_, day, _ := strings.Cut(text, " ")
		_, proper, _ := strings.Cut(t.Format(form), " ")
		if err == nil && strings.EqualFold(day, proper) {
			return t, true
		}
	}
	return time.Time{}, false
}
