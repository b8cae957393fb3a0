// @tus/server with its file store, as its README sets it up. Argument: the folder. Prints the port.
import { FileStore } from '../clients/node_modules/@tus/file-store/dist/index.js'
import { Server } from '../clients/node_modules/@tus/server/dist/index.js'

const server = new Server({ path: '/files', datastore: new FileStore({ directory: process.argv[2] }) })
const listener = server.listen({ host: '127.0.0.1', port: 0 }, () => console.log(listener.address().port))
