// Package testserver runs real Redis, MariaDB, MySQL and nginx servers as child processes, on free loopback ports
// and in directories of their own, so that tests can kill, freeze and restart what production depends on.
//
// No server outlives the process that started it, even if that process is killed. Tests use Redis, MariaDB, MySQL, Nginx,
// MariaDBDatabase and MySQLDatabase, which skip the test if the program is not installed; commands use StartRedis,
// StartMariaDB and StartMySQL.
//
// Tests of any package may import it, and devstack's bench and chaos commands. The product may not.
package testserver
