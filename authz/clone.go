package authz

import (
	"bytes"
	"strings"

	"sark/internal/mcp"
)

// clone copies what of a question may be memory of its request, which dies with it. What is shared never changes: the
// principal, the headers, which were copied out of the request, and the context.
func (in *Input) clone() *Input {
	c := *in
	c.Call = cloneCall(in.Call)
	c.Action = strings.Clone(in.Action)
	c.Server = in.Server.clone()
	c.Tool.Name, c.Tool.SensitivityLevel = strings.Clone(in.Tool.Name), strings.Clone(in.Tool.SensitivityLevel)
	r := &c.Resource
	r.Type, r.ID, r.SensitivityLevel, r.OwnerID = strings.Clone(r.Type), strings.Clone(r.ID), strings.Clone(r.SensitivityLevel), strings.Clone(r.OwnerID)
	r.Teams = cloneTexts(r.Teams)
	c.Request.Method, c.Request.Path = strings.Clone(in.Request.Method), strings.Clone(in.Request.Path)
	return &c
}

// cloneCall copies what of a call becomes input.
func cloneCall(call *mcp.Call) *mcp.Call {
	c := *call
	c.Method, c.Action, c.ResourceType = strings.Clone(c.Method), strings.Clone(c.Action), strings.Clone(c.ResourceType)
	c.Name, c.URI, c.ProtocolVersion = strings.Clone(c.Name), strings.Clone(c.URI), strings.Clone(c.ProtocolVersion)
	c.Arguments = bytes.Clone(c.Arguments)
	c.ID, c.Params, c.Meta, c.ClientCapabilities = nil, nil, nil, nil
	return &c
}

func cloneTexts(list []string) []string {
	if list == nil {
		return nil
	}
	c := make([]string, len(list))
	for i, s := range list {
		c[i] = strings.Clone(s)
	}
	return c
}
