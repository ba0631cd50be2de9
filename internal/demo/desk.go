package demo

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

const (
	statusOpen   = "open"
	statusClosed = "closed"
)

type ticket struct {
	ID          string   `json:"id"`
	CustomerID  string   `json:"customer_id"`
	OrderID     string   `json:"order_id"`
	Status      string   `json:"status"`
	Subject     string   `json:"subject"`
	Body        string   `json:"body"`
	Escalations []string `json:"escalations,omitempty"`
}

type customer struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
	Phone string `json:"phone"`
}

// order amounts are whole euros.
type order struct {
	ID         string `json:"id"`
	CustomerID string `json:"customer_id"`
	Total      int    `json:"total"`
	Refunded   int    `json:"refunded"`
}

// desk is the company: all data of one example server. Its methods are safe
// for concurrent use and return copies.
type desk struct {
	mu        sync.Mutex
	tickets   []ticket
	customers []customer
	orders    []order
}

// newDesk returns the state every example server starts with.
func newDesk() *desk {
	return &desk{
		tickets: []ticket{
			{ID: "T-100", CustomerID: "C-1", OrderID: "O-1", Status: statusOpen, Subject: "Lamp arrived broken", Body: "The glass of the lamp was in pieces."},
			{ID: "T-101", CustomerID: "C-2", OrderID: "O-2", Status: statusOpen, Subject: "Invoice is missing", Body: "Please send the invoice again."},
			{ID: "T-102", CustomerID: "C-1", OrderID: "O-1", Status: statusClosed, Subject: "Change of address", Body: "We moved to 4 Mill Lane."},
			{ID: "T-103", CustomerID: "C-3", OrderID: "O-3", Status: statusOpen, Subject: "Desk wobbles", Body: "One leg of the desk is short."},
		},
		customers: []customer{
			{ID: "C-1", Name: "Ada Marsh", Email: "ada@example.com", Phone: "+44 20 7946 0001"},
			{ID: "C-2", Name: "Bram Visser", Email: "bram@example.com", Phone: "+44 20 7946 0002"},
			{ID: "C-3", Name: "Chloe Stern", Email: "chloe@example.com", Phone: "+44 20 7946 0003"},
		},
		orders: []order{
			{ID: "O-1", CustomerID: "C-1", Total: 80},
			{ID: "O-2", CustomerID: "C-2", Total: 240},
			{ID: "O-3", CustomerID: "C-3", Total: 900},
		},
	}
}

// search returns the tickets whose subject holds words in any letter case and
// whose status is status; an empty argument matches all.
func (d *desk) search(words, status string) []ticket {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := []ticket{}
	for _, t := range d.tickets {
		if strings.Contains(strings.ToLower(t.Subject), strings.ToLower(words)) && (status == "" || status == t.Status) {
			found = append(found, t.clone())
		}
	}
	return found
}

func (d *desk) ticket(id string) (ticket, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := d.ticketIndexLocked(id)
	if err != nil {
		return ticket{}, err
	}
	return d.tickets[i].clone(), nil
}

// escalate adds the reason to the ticket and returns how many it has now.
func (d *desk) escalate(id, reason string) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := d.ticketIndexLocked(id)
	if err != nil {
		return 0, err
	}
	d.tickets[i].Escalations = append(d.tickets[i].Escalations, reason)
	return len(d.tickets[i].Escalations), nil
}

func (d *desk) ticketIndexLocked(id string) (int, error) {
	i := slices.IndexFunc(d.tickets, func(t ticket) bool { return t.ID == id })
	if i < 0 {
		return 0, fmt.Errorf("no ticket %q", id)
	}
	return i, nil
}

func (d *desk) customer(id string) (customer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.customers, func(c customer) bool { return c.ID == id })
	if i < 0 {
		return customer{}, fmt.Errorf("no customer %q", id)
	}
	return d.customers[i], nil
}

// removeCustomer deletes the customer with all tickets and orders.
func (d *desk) removeCustomer(id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.customers)
	d.customers = slices.DeleteFunc(d.customers, func(c customer) bool { return c.ID == id })
	if len(d.customers) == before {
		return fmt.Errorf("no customer %q", id)
	}
	d.tickets = slices.DeleteFunc(d.tickets, func(t ticket) bool { return t.CustomerID == id })
	d.orders = slices.DeleteFunc(d.orders, func(o order) bool { return o.CustomerID == id })
	return nil
}

// refund pays back amount euros of the order, never more than was paid.
func (d *desk) refund(id string, amount int) (order, error) {
	if amount <= 0 {
		return order{}, fmt.Errorf("amount %d is not above zero", amount)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.orders, func(o order) bool { return o.ID == id })
	if i < 0 {
		return order{}, fmt.Errorf("no order %q", id)
	}
	o := &d.orders[i]
	if left := o.Total - o.Refunded; amount > left {
		return order{}, fmt.Errorf("order %s has %d EUR left to refund, not %d", id, left, amount)
	}
	o.Refunded += amount
	return *o, nil
}

// report counts either tickets by status or refunded euros by order.
func (d *desk) report(name string) (map[string]int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rows := make(map[string]int)
	switch name {
	case "tickets_by_status":
		for _, t := range d.tickets {
			rows[t.Status]++
		}
	case "refunds":
		for _, o := range d.orders {
			rows[o.ID] = o.Refunded
		}
	default:
		return nil, fmt.Errorf("no report %q", name)
	}
	return rows, nil
}

func (t ticket) clone() ticket {
	t.Escalations = slices.Clone(t.Escalations)
	return t
}
