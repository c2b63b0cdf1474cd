-- MySQL's image runs this once, when its volume is new. Nobody but holdfast and Temporal comes in over the network, each to
-- databases of its own. Both make their tables themselves, so they may.
CREATE DATABASE holdfast;
CREATE USER holdfast IDENTIFIED BY 'holdfast';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX ON holdfast.* TO holdfast;

CREATE DATABASE temporal;
CREATE DATABASE temporal_visibility;
CREATE USER temporal IDENTIFIED BY 'temporal';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX ON temporal.* TO temporal;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX ON temporal_visibility.* TO temporal;
