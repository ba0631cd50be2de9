package demo_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/demo"
)

func TestElicitationRoundTrip(t *testing.T) {
	inEveryEra(t, func(t *testing.T, o demo.Options) {
		asked := make(chan string, 1)
		session := connect(t, o, &mcp.ClientOptions{
			ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
				asked <- req.Params.Message
				return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"reason": "third complaint"}}, nil
			},
		})
		got, isError := call(t.Context(), t, session, &mcp.CallToolParams{
			Name: demo.EscalateTicket, Arguments: map[string]any{"ticket_id": "T-103"},
		})
		want := answer{Text: "Ticket T-103 is escalated (1): third complaint"}
		if diff := cmp.Diff(want, answer{Text: got, Error: isError}); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff("Why should ticket T-103 (Desk wobbles) be escalated?", <-asked); diff != "" {
			t.Errorf("question (-want +got):\n%s", diff)
		}
	})
}

func TestDeclinedElicitationChangesNothing(t *testing.T) {
	session := connect(t, demo.Options{Stateful: true}, &mcp.ClientOptions{
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "decline"}, nil
		},
	})
	got, _ := call(t.Context(), t, session, &mcp.CallToolParams{
		Name: demo.EscalateTicket, Arguments: map[string]any{"ticket_id": "T-103"},
	})
	if diff := cmp.Diff("Ticket T-103 is not escalated: the user chose to decline.", got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestSamplingRoundTrip(t *testing.T) {
	inEveryEra(t, func(t *testing.T, o demo.Options) {
		session := connect(t, o, &mcp.ClientOptions{
			//nolint:staticcheck // sampling is deprecated by SEP-2577 and still spoken
			CreateMessageHandler: func(_ context.Context, req *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
				return &mcp.CreateMessageResult{ //nolint:staticcheck // see above
					Model: "tiny", Role: "assistant", Content: &mcp.TextContent{Text: "A lamp broke on its way."},
				}, nil
			},
		})
		got, isError := call(t.Context(), t, session, &mcp.CallToolParams{
			Name: demo.SummarizeTicket, Arguments: map[string]any{"ticket_id": "T-100"},
		})
		want := answer{Text: "Summary of T-100 by tiny: A lamp broke on its way."}
		if diff := cmp.Diff(want, answer{Text: got, Error: isError}); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
	})
}
