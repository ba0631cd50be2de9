package sqlite

// By makes a store open its file by another driver.
func By(o Options, driver string) Options {
	o.driver = driver
	return o
}
