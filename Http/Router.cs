using System.Text;
using Couic.Http.Parsing;

namespace Couic.Http;

/// <summary>
/// Finds the route of a path. Literal segments are compared byte for byte with the undecoded path; a literal beats a
/// parameter at the leftmost segment where they differ, and if the rest then fails, the parameter is tried. Routes are added
/// before the server starts; matching is thread-safe and allocates nothing.
/// </summary>
internal class Router
{
    /// <summary>Parameters of the longest route, with some to spare.</summary>
    public const int MaxParameters = 4;

    private readonly Node _root = new([]);
    private readonly List<Route> _routes = [];

    /// <summary>All routes, in the order in which they were added.</summary>
    public IReadOnlyList<Route> Routes => _routes;

    /// <summary>Adds one method of a path.</summary>
    /// <param name="pattern">Such as <c>/v1/sets/{policy}/{name}</c>; a segment in braces is a parameter.</param>
    /// <param name="filter">Decides which requests reach the handler; null admits all.</param>
    /// <param name="canBatch">Whether the handler may leave its request to a batch (<see cref="Exchange.TryBatch"/>).</param>
    /// <param name="ignoresBody">Whether the handler changes something and reads no body: it then runs after the end of the body.</param>
    public void Map(Verb verb, string pattern, Handler handler, IRequestFilter? filter = null, bool canBatch = false, bool ignoresBody = false)
    {
        Node node = _root;
        foreach (string segment in pattern[1..].Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            node = segment.StartsWith('{') ? node.Parameter ??= new Node([]) : node.Literal(Encoding.ASCII.GetBytes(segment));
        }

        if (node.Route is null)
        {
            node.Route = new Route(pattern);
            _routes.Add(node.Route);
        }

        node.Route.Add(new Endpoint(verb, handler, filter, canBatch, ignoresBody));
    }

    /// <param name="path">Undecoded, from its first slash on.</param>
    /// <param name="parameters">At least <see cref="MaxParameters"/>; receives the slices of the parameters within the path.</param>
    public Route? Match(ReadOnlySpan<byte> path, Span<Slice> parameters, out int count)
    {
        count = 0;
        return path.IsEmpty || path[0] != '/' ? null : path.Length == 1 ? _root.Route : Walk(_root, path, 1, parameters, ref count);
    }

    private static Route? Walk(Node node, ReadOnlySpan<byte> path, int start, Span<Slice> parameters, ref int count)
    {
        int length = path[start..].IndexOf((byte)'/');
        bool last = length < 0;
        length = last ? path.Length - start : length;
        if (length == 0)
        {
            return null; // neither a trailing slash nor a doubled one is forgiven
        }

        ReadOnlySpan<byte> segment = path.Slice(start, length);
        int depth = count;
        ReadOnlySpan<Node> literals = node.MayBeLiteral(segment[0]) ? node.Literals : [];
        foreach (Node literal in literals)
        {
            if (segment.SequenceEqual(literal.Word))
            {
                Route? route = last ? literal.Route : Walk(literal, path, start + length + 1, parameters, ref count);
                if (route is not null)
                {
                    return route;
                }

                break;
            }
        }

        if (node.Parameter is not { } parameter)
        {
            return null;
        }

        parameters[depth] = new Slice(start, length);
        count = depth + 1;
        Route? found = last ? parameter.Route : Walk(parameter, path, start + length + 1, parameters, ref count);
        count = found is null ? depth : count;
        return found;
    }

    private sealed class Node(byte[] word)
    {
        /// <summary>A bit for each first byte of a literal: most segments are parameters, and are compared with none.</summary>
        private ulong _firsts;

        public byte[] Word { get; } = word;

        public Node[] Literals { get; private set; } = [];

        public Node? Parameter { get; set; }

        public Route? Route { get; set; }

        public bool MayBeLiteral(byte first) => (_firsts >> (first & 63) & 1) != 0;

        public Node Literal(byte[] wanted)
        {
            Node? found = Array.Find(Literals, node => node.Word.AsSpan().SequenceEqual(wanted));
            if (found is null)
            {
                found = new Node(wanted);
                Literals = [.. Literals, found];
                _firsts |= 1ul << (wanted[0] & 63);
            }

            return found;
        }
    }
}
