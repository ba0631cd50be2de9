package ocsf

import (
	"cmp"

	"sark/internal/audit"
)

// fillAPI fills what is only in API Activity.
func (o *Event) fillAPI(e *audit.Event) {
	o.Actor = actorOf(e, o.Authorizations)
	o.Source, o.Destination = sourceOf(e), destinationOf(e)
	o.HTTPRequest, o.HTTPResponse = requestOf(e), responseOf(e)
	o.API = apiOf(e)
	o.Resources = resourcesOf(e)
	o.Context = contextOf(e)
	if e.TraceID == "" {
		o.keep("span_id", e.SpanID)
		return
	}
	o.Trace = &trace{UID: e.TraceID}
	if e.SpanID != "" {
		o.Trace.Span = &span{UID: e.SpanID, StartTime: o.StartTime, EndTime: max(o.EndTime, o.StartTime)}
	}
}

// fillAuthentication fills what is only in Authentication.
func (o *Event) fillAuthentication(e *audit.Event) {
	o.User, o.Actor = userOf(e), actorOf(e, o.Authorizations)
	if e.SessionID != "" {
		o.Session = &session{e.SessionID}
	}
	o.Service = cmp.Or(serverOf(e), &entity{Name: "SARK"})
	o.Source = sourceOf(e)
	o.HTTPRequest, o.HTTPResponse = requestOf(e), responseOf(e)
	o.Context = contextOf(e)
	o.keepCall(e)
}

// fillEntity fills what is only in Entity Management.
func (o *Event) fillEntity(e *audit.Event) {
	o.Actor, o.Source = actorOf(e, o.Authorizations), sourceOf(e)
	o.HTTPRequest, o.HTTPResponse = requestOf(e), responseOf(e)
	o.Entity = &entity{UID: e.ServerID, Name: cmp.Or(e.ServerName, e.Resource), Type: e.ResourceType}
	if o.Entity.UID == "" && o.Entity.Name == "" {
		o.Entity.Name = "unknown"
	}
	o.Context = contextOf(e)
	o.keepCall(e)
}

// fillFinding fills what is only in Detection Finding: the gateway's own word that something is wrong with the trail.
func (o *Event) fillFinding(e *audit.Event) {
	o.Finding = &finding{UID: e.ID.String(), Title: cmp.Or(e.ErrorMessage, e.EventType), Desc: e.Reason}
	o.Resources = resourcesOf(e)
	o.keepCall(e)
	o.keepCaller(e)
}

// keepCall keeps, for classes without api and trace, what these would say.
func (o *Event) keepCall(e *audit.Event) {
	for name, text := range map[string]string{
		"action_operation": e.Action, "method": e.Method, "request_id": e.RequestID, "protocol_version": e.ProtocolVersion,
		"error_message": e.ErrorMessage, "trace_id": e.TraceID, "span_id": e.SpanID, "tool_name": e.ToolName,
		"resource": e.Resource, "sensitivity": e.Sensitivity, "server_id": e.ServerID, "server_name": e.ServerName,
	} {
		o.keep(name, text)
	}
	if e.RPCCode != 0 {
		o.Unmapped["rpc_code"] = e.RPCCode
	}
}

// keepCaller keeps, for classes without an actor, who it was.
func (o *Event) keepCaller(e *audit.Event) {
	for name, text := range map[string]string{
		"user_id": e.UserID, "user_email": e.UserEmail, "principal_type": e.PrincipalType, "client_id": e.ClientID,
		"session_id": e.SessionID, "user_agent": e.UserAgent, "http_method": e.HTTPMethod, "path": e.Path,
	} {
		o.keep(name, text)
	}
	if len(e.UserRoles) > 0 {
		o.Unmapped["user_roles"] = e.UserRoles
	}
	if e.IP.IsValid() {
		o.Unmapped["ip_address"] = e.IP.String()
	}
	if e.BytesIn != 0 || e.BytesOut != 0 {
		o.Unmapped["bytes_in"], o.Unmapped["bytes_out"] = e.BytesIn, e.BytesOut
	}
}

func actorOf(e *audit.Event, granted []authorization) *actor {
	a := &actor{User: userOf(e), Authorizations: granted}
	if e.SessionID != "" {
		a.Session = &session{e.SessionID}
	}
	return a
}

func userOf(e *audit.Event) *user {
	u := &user{UID: e.UserID, Email: e.UserEmail, CredentialUID: e.ClientID, Type: e.PrincipalType}
	switch e.PrincipalType {
	case "user":
		u.TypeID = 1
	case "system":
		u.TypeID = 3
	case "service":
		u.TypeID = 4
	case "":
		u.TypeID, u.Type = 0, "Unknown"
	default:
		u.TypeID = 99
	}
	if u.UID == "" {
		u.Name = "unknown"
	}
	for _, role := range e.UserRoles {
		u.Groups = append(u.Groups, entity{Name: role, Type: "role"})
	}
	return u
}

// sourceOf is where the call came from; a unix socket has no address.
func sourceOf(e *audit.Event) *endpoint {
	if !e.IP.IsValid() {
		return &endpoint{Name: "local"}
	}
	return &endpoint{IP: e.IP.String()}
}

func destinationOf(e *audit.Event) *endpoint {
	if e.ServerID == "" && e.ServerName == "" {
		return nil
	}
	return &endpoint{UID: e.ServerID, Service: e.ServerName}
}

func serverOf(e *audit.Event) *entity {
	if e.ServerID == "" && e.ServerName == "" {
		return nil
	}
	return &entity{UID: e.ServerID, Name: e.ServerName}
}

func requestOf(e *audit.Event) *httpRequest {
	r := &httpRequest{Method: e.HTTPMethod, UserAgent: e.UserAgent, BodyLength: e.BytesIn}
	if e.Path != "" {
		r.URL = &url{e.Path}
	}
	return r
}

func responseOf(e *audit.Event) *httpResponse {
	if e.StatusCode == 0 {
		return nil
	}
	return &httpResponse{Code: e.StatusCode, BodyLength: e.BytesOut}
}

// apiOf says what was asked of the server. The operation is the policy's name for it, which every exchange that was read has.
func apiOf(e *audit.Event) *api {
	a := &api{Operation: cmp.Or(e.Action, e.Method, e.HTTPMethod, "unknown"), Version: e.ProtocolVersion, Service: serverOf(e)}
	if e.Method != "" {
		a.Group = &entity{Name: e.Method}
	}
	if e.RequestID != "" {
		a.Request = &apiRequest{e.RequestID}
	}
	if e.RPCCode != 0 || e.ErrorMessage != "" {
		a.Response = &apiResponse{Code: e.RPCCode, ErrorMessage: e.ErrorMessage}
	}
	return a
}

func resourcesOf(e *audit.Event) []resource {
	var list []resource
	if e.ToolName != "" {
		list = append(list, resource{Name: e.ToolName, Type: "tool", Criticality: e.Sensitivity})
	}
	if e.Resource != "" {
		list = append(list, resource{UID: e.Resource, Type: e.ResourceType, Criticality: e.Sensitivity})
	}
	if len(list) == 0 && e.Sensitivity != "" {
		list = append(list, resource{UID: e.ServerID, Name: cmp.Or(e.ServerName, "unknown"), Type: "server", Criticality: e.Sensitivity})
	}
	return list
}

// contextOf says which MCP message it was. The schema wants to know whose, so that a message of no server has none.
func contextOf(e *audit.Event) *messageContext {
	if e.Method == "" || e.ServerID == "" && e.ServerName == "" {
		return nil
	}
	c := &messageContext{Name: e.Method, RoleID: 4, Role: "Agent", Service: serverOf(e)}
	if e.ToolName != "" {
		c.RoleID, c.Role = 3, "Tool"
	}
	return c
}
