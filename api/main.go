// Command api serves the HTTP API: it starts orders, answers how they ended, and changes stock.
package main

import (
	"os"

	"holdfast/app"
)

func main() { os.Exit(app.Run("api", os.Stderr, app.NewAPI)) }
