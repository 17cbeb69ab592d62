namespace Couic.Http;

/// <summary>So many at a time, the others wait in line. Thread-safe.</summary>
internal sealed class Turns(int atOnce)
{
    private readonly Lock _gate = new();
    private readonly Queue<TaskCompletionSource> _line = new();
    private int _left = atOnce;

    public ValueTask WaitAsync()
    {
        lock (_gate)
        {
            if (_left > 0)
            {
                _left--;
                return default;
            }

            var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _line.Enqueue(turn);
            return new ValueTask(turn.Task);
        }
    }

    public void Release()
    {
        lock (_gate)
        {
            if (_line.TryDequeue(out TaskCompletionSource? next))
            {
                next.SetResult();
            }
            else
            {
                _left++;
            }
        }
    }
}
