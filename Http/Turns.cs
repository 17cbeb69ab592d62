namespace Couic.Http;

/// <summary>So many at a time, the others wait in line: one line for each name, and the lines take turns, so that a long one delays no other. Thread-safe.</summary>
internal sealed class Turns(int atOnce)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Queue<TaskCompletionSource<bool>>> _lines = [];
    private readonly Queue<string> _next = new();
    private int _left = atOnce;

    /// <summary>Whether somebody waits.</summary>
    public bool HasLine
    {
        get
        {
            lock (_gate)
            {
                return _next.Count > 0;
            }
        }
    }

    /// <summary>
    /// A place in a name's line; null when it is one's turn at once. Its task becomes true when it is one's turn. Who does not want
    /// to wait any more makes it false, and has no turn to give back then.
    /// </summary>
    public TaskCompletionSource<bool>? Enter(string name)
    {
        lock (_gate)
        {
            if (_left > 0)
            {
                _left--;
                return null;
            }

            if (!_lines.TryGetValue(name, out Queue<TaskCompletionSource<bool>>? line))
            {
                _lines.Add(name, line = new Queue<TaskCompletionSource<bool>>());
                _next.Enqueue(name);
            }

            var place = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            line.Enqueue(place);
            return place;
        }
    }

    public void Release()
    {
        lock (_gate)
        {
            while (_next.TryDequeue(out string? name))
            {
                Queue<TaskCompletionSource<bool>> line = _lines[name];
                bool isTaken = line.Dequeue().TrySetResult(true);
                if (line.Count > 0)
                {
                    _next.Enqueue(name);
                }
                else
                {
                    _lines.Remove(name);
                }

                if (isTaken)
                {
                    return;
                }
            }

            _left++;
        }
    }
}
