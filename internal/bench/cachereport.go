package bench

import (
	"fmt"
	"io"
)

// Write prints the report for people: a table for each load, the ratios that have goals, and the hit rate.
func (r CacheReport) Write(w io.Writer) error {
	err := writeTables(w, r.Cells, []ratio{
		{HitResource, BareResource, "hit ÷ bare, resource"},
		{HitSpool, BareResource, "spool only ÷ bare"},
		{HitShared, BareResource, "in Redis ÷ bare"},
		{HitList, BareList, "hit ÷ bare, list"},
		{HitPlain, BarePlain, "hit ÷ bare, GET"},
		{MissOn, MissOff, "miss, on ÷ off"},
	})
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if r.Shared > 0 {
		_, err = fmt.Fprintf(w, "%s: Redis answered %.0f %% of them, the gateway's own memory the others.\n", HitShared, r.Shared*100)
	}
	if err == nil && r.ZipfRequests > 0 {
		_, err = fmt.Fprintf(w, "Zipf (skew %.2f, %d resources, room for %s): %.1f %% hits of %d requests.\n",
			zipfSkew, zipfKeys, zipfBytes, r.Zipf*100, r.ZipfRequests)
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
