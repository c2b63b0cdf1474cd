// Command worker carries orders to their ends: it runs the workflows and their steps.
package main

import (
	"os"

	"holdfast/app"
)

func main() { os.Exit(app.Run("worker", os.Stderr, app.NewWorker)) }
