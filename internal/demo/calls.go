package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Bounds of scan_archive, so that a visitor cannot hold a stream open for long.
const (
	maxScanCount    = 100
	maxScanInterval = 5_000 // milliseconds
)

type searchArgs struct {
	Query  string `json:"query,omitempty" jsonschema:"words to look for in the subject"`
	Status string `json:"status,omitempty" jsonschema:"open or closed; empty for both"`
}

type searchResult struct {
	Tickets []ticket `json:"tickets"`
}

func (d *desk) searchTickets(_ context.Context, _ *mcp.CallToolRequest, in searchArgs) (*mcp.CallToolResult, searchResult, error) {
	return nil, searchResult{Tickets: d.search(in.Query, in.Status)}, nil
}

type customerArgs struct {
	CustomerID string `json:"customer_id" jsonschema:"for example C-1"`
}

func (d *desk) readCustomer(_ context.Context, _ *mcp.CallToolRequest, in customerArgs) (*mcp.CallToolResult, customer, error) {
	c, err := d.customer(in.CustomerID)
	return nil, c, err
}

func (d *desk) deleteCustomer(_ context.Context, _ *mcp.CallToolRequest, in customerArgs) (*mcp.CallToolResult, any, error) {
	if err := d.removeCustomer(in.CustomerID); err != nil {
		return nil, nil, err
	}
	return text("Customer %s is deleted.", in.CustomerID), nil, nil
}

type refundArgs struct {
	OrderID string `json:"order_id" jsonschema:"for example O-1"`
	Amount  int    `json:"amount" jsonschema:"whole euros to pay back, above zero"`
	Reason  string `json:"reason,omitempty" jsonschema:"why the money is paid back"`
}

func (d *desk) refundOrder(_ context.Context, _ *mcp.CallToolRequest, in refundArgs) (*mcp.CallToolResult, order, error) {
	o, err := d.refund(in.OrderID, in.Amount)
	return nil, o, err
}

type reportArgs struct {
	Name string `json:"name" jsonschema:"tickets_by_status or refunds"`
}

type reportResult struct {
	Rows map[string]int `json:"rows"`
}

func (d *desk) runReport(_ context.Context, _ *mcp.CallToolRequest, in reportArgs) (*mcp.CallToolResult, reportResult, error) {
	rows, err := d.report(in.Name)
	return nil, reportResult{Rows: rows}, err
}

type scanArgs struct {
	Count      int `json:"count" jsonschema:"number of steps, 1 to 100"`
	IntervalMS int `json:"interval_ms,omitempty" jsonschema:"milliseconds before each step, 0 to 5000"`
}

func (a scanArgs) validate() error {
	if a.Count < 1 || a.Count > maxScanCount {
		return fmt.Errorf("count %d is not within 1 to %d", a.Count, maxScanCount)
	}
	if a.IntervalMS < 0 || a.IntervalMS > maxScanInterval {
		return fmt.Errorf("interval_ms %d is not within 0 to %d", a.IntervalMS, maxScanInterval)
	}
	return nil
}

// scanArchive pretends to work: it waits before each step, tells the client
// that asked for progress, and stops at once when the call is cancelled.
func (d *desk) scanArchive(ctx context.Context, req *mcp.CallToolRequest, in scanArgs) (*mcp.CallToolResult, any, error) {
	if err := in.validate(); err != nil {
		return nil, nil, err
	}
	for step := 1; step <= in.Count; step++ {
		if err := pause(ctx, time.Duration(in.IntervalMS)*time.Millisecond); err != nil {
			return nil, nil, fmt.Errorf("scan step %d of %d: %w", step, in.Count, err)
		}
		if err := tellProgress(ctx, req, step, in.Count); err != nil {
			return nil, nil, fmt.Errorf("report step %d of %d: %w", step, in.Count, err)
		}
	}
	return text("Scanned %d parts of the archive.", in.Count), nil, nil
}

func tellProgress(ctx context.Context, req *mcp.CallToolRequest, step, total int) error {
	token := req.Params.GetProgressToken()
	if token == nil {
		return nil
	}
	return req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
		ProgressToken: token,
		Progress:      float64(step),
		Total:         float64(total),
		Message:       fmt.Sprintf("part %d of %d", step, total),
	})
}

// pause waits for the interval or until the context ends.
func pause(ctx context.Context, interval time.Duration) error {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
